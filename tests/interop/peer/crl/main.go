// Reads a revocation list as the peer's programs do, with Go's crypto/x509.
// usage: crl LIST.der ISSUER.pem [SERIAL...]: these serials, and no other, are on it; prints its number.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"time"
)

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	der, err := os.ReadFile(os.Args[1])
	fail(err)
	text, err := os.ReadFile(os.Args[2])
	fail(err)
	block, _ := pem.Decode(text)
	issuer, err := x509.ParseCertificate(block.Bytes)
	fail(err)
	list, err := x509.ParseRevocationList(der)
	fail(err)
	fail(list.CheckSignatureFrom(issuer))
	if now := time.Now(); now.Before(list.ThisUpdate) || now.After(list.NextUpdate) {
		fail(fmt.Errorf("not good now: %v to %v", list.ThisUpdate, list.NextUpdate))
	}
	if len(list.RevokedCertificates) != len(os.Args)-3 {
		fail(fmt.Errorf("%d entries", len(list.RevokedCertificates)))
	}
	listed := map[string]bool{}
	for _, entry := range list.RevokedCertificates {
		listed[entry.SerialNumber.String()] = true
	}
	for _, serial := range os.Args[3:] {
		if !listed[serial] {
			fail(fmt.Errorf("%s is not on it", serial))
		}
	}
	fmt.Println(list.Number)
}
