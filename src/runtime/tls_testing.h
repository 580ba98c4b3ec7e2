// Certificates for tests, made on the spot: a root, and what it signs.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>

#include "duplex/runtime/tls.h"

namespace duplex {

class TestAuthority {
 public:
  explicit TestAuthority(std::string folder) : folder_(std::move(folder)) {
    certificate_ = make("Test Root", "", key_, nullptr, nullptr);
    write_certificate(ca(), certificate_);
  }
  ~TestAuthority() {
    X509_free(certificate_);
    EVP_PKEY_free(key_);
  }
  TestAuthority(const TestAuthority&) = delete;

  std::string ca() const { return folder_ + "/ca.pem"; }
  // `names`: "DNS:a.test,DNS:*.b.test,IP:127.0.0.1,URI:spiffe://x/y".
  TlsCertificate issue(const std::string& subject, const std::string& names) {
    EVP_PKEY* key = nullptr;
    X509* certificate = make(subject, names, key, certificate_, key_);
    TlsCertificate files{folder_ + "/" + subject + ".pem", folder_ + "/" + subject + ".key"};
    write_certificate(files.certificate, certificate);
    FILE* file = std::fopen(files.key.c_str(), "w");
    PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
    std::fclose(file);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return files;
  }

 private:
  static void write_certificate(const std::string& path, X509* certificate) {
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate);
    std::fclose(file);
  }
  // Signed by `issuer`, or by itself.
  static X509* make(const std::string& subject, const std::string& names, EVP_PKEY*& key, X509* issuer,
                    EVP_PKEY* issuer_key) {
    static long serial = 1;
    key = EVP_EC_gen("P-256");
    X509* c = X509_new();
    X509_set_version(c, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(c), serial++);
    X509_gmtime_adj(X509_getm_notBefore(c), -60);
    X509_gmtime_adj(X509_getm_notAfter(c), 86'400);
    X509_set_pubkey(c, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(c), "CN", MBSTRING_UTF8,
                               reinterpret_cast<const unsigned char*>(subject.c_str()), -1, -1, 0);
    X509_set_issuer_name(c, X509_get_subject_name(issuer ? issuer : c));
    extend(c, issuer ? issuer : c, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
    if (!names.empty()) extend(c, issuer, NID_subject_alt_name, names.c_str());
    X509_sign(c, issuer_key ? issuer_key : key, EVP_sha256());
    return c;
  }
  static void extend(X509* c, X509* issuer, int id, const char* value) {
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, c, nullptr, nullptr, 0);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value);
    X509_add_ext(c, extension, -1);
    X509_EXTENSION_free(extension);
  }

  const std::string folder_;
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
};

}  // namespace duplex
