// The peer's client library against a CA: everything that its command line does over the wire. Prints TAP.
// usage: client CA-URL ROOT-FILE PROVISIONER PASSWORD-FILE
package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/smallstep/certificates/api"
	"github.com/smallstep/certificates/ca"
	"go.step.sm/crypto/jose"
)

var number int

func check(name string, err error) bool {
	number++
	if err != nil {
		fmt.Printf("# %v\nnot ok %d - %s\n", err, number, name)
		return false
	}
	fmt.Printf("ok %d - %s\n", number, name)
	return true
}

func must(name string, err error) {
	if !check(name, err) {
		fmt.Printf("1..%d\n", number)
		os.Exit(1)
	}
}

func expect(cond bool, format string, args ...interface{}) error {
	if cond {
		return nil
	}
	return fmt.Errorf(format, args...)
}

func refused(err error, words string) error {
	if err == nil {
		return fmt.Errorf("was not refused")
	}
	return expect(strings.Contains(err.Error(), words), "refused with other words: %v", err)
}

func verify(roots *x509.CertPool, r *api.SignResponse, host string) error {
	inter := x509.NewCertPool()
	for _, c := range r.CertChainPEM[1:] {
		inter.AddCert(c.Certificate)
	}
	_, err := r.ServerPEM.Certificate.Verify(x509.VerifyOptions{
		Roots: roots, Intermediates: inter, DNSName: host,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	})
	return err
}

func main() {
	url, rootFile, provisioner, passwordFile := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	password, _ := os.ReadFile(passwordFile)
	password = bytes.TrimSpace(password)
	rootPEM, err := os.ReadFile(rootFile)
	must("the root file is there", err)
	block, _ := pem.Decode(rootPEM)
	sum := sha256.Sum256(block.Bytes)
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(rootPEM)

	client, err := ca.NewClient(url, ca.WithRootFile(rootFile))
	must("a client from the root file", err)
	health, err := client.Health()
	must("health", err)
	check("health says ok", expect(health.Status == "ok", "status %q", health.Status))
	_, err = client.Version()
	check("version", err)
	root, err := client.Root(hex.EncodeToString(sum[:]))
	check("root by fingerprint", err)
	if err == nil {
		check("the root is the root", expect(bytes.Equal(root.RootPEM.Raw, block.Bytes), "another certificate"))
	}
	_, err = client.Root(strings.Repeat("0", 64))
	check("an unknown root is not found", refused(err, ""))
	rs, err := client.Roots()
	check("roots", err)
	if err == nil {
		check("one root", expect(len(rs.Certificates) == 1, "%d roots", len(rs.Certificates)))
	}
	_, err = client.Federation()
	check("federation", err)
	ps, err := client.Provisioners(ca.WithProvisionerLimit(1))
	must("provisioners", err)
	check("the provisioner is listed", expect(len(ps.Provisioners) == 1 && ps.Provisioners[0].GetName() == provisioner,
		"%+v", ps.Provisioners))

	p, err := ca.NewProvisioner(provisioner, "", url, password, ca.WithRootFile(rootFile))
	must("the provisioner's key is fetched and decrypted", err)
	token, err := p.Token("foo.local", "foo.local", "10.1.2.3")
	must("a token", err)
	req, key, err := ca.CreateSignRequest(token)
	must("a request", err)
	first, err := client.Sign(req)
	must("sign", err)
	check("the certificate verifies", verify(roots, first, "foo.local"))
	check("its names are the token's", expect(len(first.ServerPEM.DNSNames) == 1 && len(first.ServerPEM.IPAddresses) == 1, "%+v", first.ServerPEM.DNSNames))
	check("tls options are there", expect(first.TLSOptions != nil && len(first.TLSOptions.CipherSuites) == 2, "%+v", first.TLSOptions))
	_, err = client.Sign(req)
	check("a token works once", refused(err, "lacked necessary authorization"))

	boot, err := ca.Bootstrap(mustToken(p, "boot.local"))
	check("bootstrap from a token", err)
	if err == nil {
		_, err = boot.Health()
		check("the bootstrapped client works", err)
	}

	transport, err := client.Transport(context.Background(), first, key)
	must("an mTLS transport", err)
	second, err := client.Renew(transport)
	must("renew", err)
	check("the renewed certificate verifies", verify(roots, second, "foo.local"))
	check("it has a serial of its own", expect(second.ServerPEM.SerialNumber.Cmp(first.ServerPEM.SerialNumber) != 0, "same serial"))
	check("and the same life", expect(life(second) == life(first), "%v and %v", life(second), life(first)))

	newKey, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	der, _ := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{}}, newKey)
	csr, _ := x509.ParseCertificateRequest(der)
	third, err := client.Rekey(&api.RekeyRequest{CsrPEM: api.CertificateRequest{CertificateRequest: csr}}, transport)
	must("rekey", err)
	check("the rekeyed certificate verifies", verify(roots, third, "foo.local"))
	check("it carries the new key", expect(third.ServerPEM.PublicKey.(*ecdsa.PublicKey).Equal(newKey.Public()), "another key"))

	expired, err := renewToken(url, second, key)
	must("a renew token", err)
	plain, err := ca.NewClient(url, ca.WithRootFile(rootFile)) // the other one has the certificate in its TLS
	must("a client without a certificate", err)
	fourth, err := plain.RenewWithToken(expired)
	must("renew with a token", err)
	check("that certificate verifies", verify(roots, fourth, "foo.local"))
	check("and has the same key", expect(fourth.ServerPEM.PublicKey.(*ecdsa.PublicKey).Equal(second.ServerPEM.PublicKey), "another key"))
	_, err = plain.RenewWithToken(expired)
	check("a renew token works once", refused(err, "lacked necessary authorization"))
	other, err := renewToken(url, third, key)
	must("a renew token by another key", err)
	_, err = plain.RenewWithToken(other)
	check("renews nothing", refused(err, "error validating renew token"))

	_, err = client.Revoke(&api.RevokeRequest{Serial: first.ServerPEM.SerialNumber.String(), ReasonCode: 4, Reason: "superseded", Passive: true}, transport)
	check("revoke over mTLS", err)
	_, err = client.Revoke(&api.RevokeRequest{Serial: first.ServerPEM.SerialNumber.String(), Passive: true}, transport)
	check("twice is refused", refused(err, "is already revoked"))
	fresh, _ := client.Transport(context.Background(), first, key)
	_, err = client.Renew(fresh)
	check("a revoked certificate does not renew", refused(err, "lacked necessary authorization"))
	_, err = client.Renew(http.DefaultTransport)
	check("nothing renews without a certificate", refused(err, ""))
	fmt.Printf("1..%d\n", number)
}

// What the peer's command line sends where TLS does not show the certificate: signed by its key, with the chain along.
func renewToken(url string, r *api.SignResponse, key crypto.PrivateKey) (string, error) {
	var chain []string
	for _, c := range r.CertChainPEM {
		chain = append(chain, base64.StdEncoding.EncodeToString(c.Raw))
	}
	opts := new(jose.SignerOptions).WithType("JWT").WithHeader("x5cInsecure", chain)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, opts)
	if err != nil {
		return "", err
	}
	jti := make([]byte, 32)
	if _, err := rand.Read(jti); err != nil {
		return "", err
	}
	now := time.Now()
	claims := jose.Claims{
		ID: hex.EncodeToString(jti), Issuer: "step-ca-client/1.0", Subject: r.ServerPEM.Subject.CommonName,
		Audience: jose.Audience{url + "/renew"}, IssuedAt: jose.NewNumericDate(now),
		NotBefore: jose.NewNumericDate(now), Expiry: jose.NewNumericDate(now.Add(5 * time.Minute)),
	}
	return jose.Signed(signer).Claims(claims).CompactSerialize()
}

func life(r *api.SignResponse) time.Duration {
	return r.ServerPEM.NotAfter.Sub(r.ServerPEM.NotBefore)
}

func mustToken(p *ca.Provisioner, name string) string {
	t, err := p.Token(name)
	must("a token for "+name, err)
	return t
}
