// What the TLS files share of OpenSSL.
#pragma once

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace duplex {

template <auto Free>
struct FreeBy {
  template <class T>
  void operator()(T* p) const {
    Free(p);
  }
};
using Bio = std::unique_ptr<BIO, FreeBy<BIO_free_all>>;
using SslContext = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;
using SslResumption = std::unique_ptr<SSL_SESSION, FreeBy<SSL_SESSION_free>>;

// What OpenSSL says went wrong last on this thread, and forgets it.
std::string last_tls_error();

}  // namespace duplex
