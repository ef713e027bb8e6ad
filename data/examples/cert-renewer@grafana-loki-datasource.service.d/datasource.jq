{
  name: "Loki",
  type: "loki",
  access: "proxy",
  url: "https://loki:3100",
  jsonData: {
    tlsAuth: true,
    tlsAuthWithCACert: true
  },
  secureJsonData: {
    tlsCACert: $ca_cert,
    tlsClientCert: $client_cert,
    tlsClientKey: $client_key
  }
}
