#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cerrno>

#include "duplex/runtime/tls.h"
#include "runtime/tls_openssl.h"

namespace duplex {

// Between OpenSSL and the session's two buffers.
struct TlsIo {
  static int read(BIO* bio, char* to, size_t room, size_t* count) {
    auto& session = *static_cast<TlsSession*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    *count = std::min(room, session.in_.size());
    if (*count == 0) {
      BIO_set_retry_read(bio);
      return 0;
    }
    std::memcpy(to, session.in_.data(), *count);
    session.in_.remove_prefix(*count);
    return 1;
  }
  static int write(BIO* bio, const char* from, size_t size, size_t* count) {
    BIO_clear_retry_flags(bio);
    static_cast<TlsSession*>(BIO_get_data(bio))->out_.append({from, size});
    *count = size;
    return 1;
  }
  static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

  static const BIO_METHOD* method() {
    static BIO_METHOD* const all = [] {
      BIO_METHOD* m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "duplex");
      BIO_meth_set_read_ex(m, read);
      BIO_meth_set_write_ex(m, write);
      BIO_meth_set_ctrl(m, control);
      BIO_meth_set_create(m, [](BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
      });
      return m;
    }();
    return all;
  }
};

TlsSession::TlsSession(ssl_st* ssl, std::shared_ptr<const void> keeps) : ssl_(ssl), keeps_(std::move(keeps)) {
  BIO* bio = BIO_new(TlsIo::method());
  BIO_set_data(bio, this);
  SSL_set_bio(ssl_, bio, bio);
}

TlsSession::~TlsSession() {
  // Else OpenSSL forgets the session, and it could not be resumed (close_notify need not have come).
  if (open_) SSL_set_shutdown(ssl_, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  SSL_free(ssl_);
}

Status TlsSession::receive(std::string_view cipher, Buffer& plain) {
  in_ = cipher;
  Status s = step(plain);
  in_ = {};
  return s;
}

Status TlsSession::step(Buffer& plain) {
  ERR_clear_error();
  if (!open_) {
    const int result = SSL_do_handshake(ssl_);
    if (result != 1) return failure(result);
    open_ = true;
    learn_peer();
  }
  constexpr size_t kPiece = 16384;  // a record holds no more
  for (;;) {
    const size_t before = plain.size();
    size_t count = 0;
    const int result = SSL_read_ex(ssl_, plain.extend(kPiece), kPiece, &count);
    plain.truncate(before + count);
    if (result != 1) return failure(result);
  }
}

Status TlsSession::failure(int result) {
  switch (SSL_get_error(ssl_, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
      return Status();
    case SSL_ERROR_ZERO_RETURN:
      peer_closed_ = true;
      return Status();
    default: {
      const long verified = SSL_get_verify_result(ssl_);
      std::string why = last_tls_error();
      if (!open_ && verified != X509_V_OK)
        why = std::string("the certificate is not trusted: ") + X509_verify_cert_error_string(verified);
      return Status::unavailable("TLS: " + why);
    }
  }
}

Status TlsSession::send(std::string_view plain) {
  ERR_clear_error();
  while (!plain.empty()) {
    size_t count = 0;
    const int result = SSL_write_ex(ssl_, plain.data(), plain.size(), &count);
    if (result != 1) return Status::unavailable("TLS: " + last_tls_error());  // out_ always has room
    plain.remove_prefix(count);
  }
  return Status();
}

void TlsSession::close() {
  ERR_clear_error();
  if (open_) SSL_shutdown(ssl_);
  ERR_clear_error();
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsSession::version() const { return SSL_get_version(ssl_); }
bool TlsSession::resumed() const { return SSL_session_reused(ssl_); }

void TlsSession::learn_peer() {
  X509* certificate = SSL_get0_peer_certificate(ssl_);
  if (!certificate || SSL_get_verify_result(ssl_) != X509_V_OK) return;
  peer_ = std::make_unique<PeerCertificate>();
  if (Bio text(BIO_new(BIO_s_mem())); text) {
    X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253);
    char* data = nullptr;
    const long size = BIO_get_mem_data(text.get(), &data);
    peer_->subject.assign(data, static_cast<size_t>(size));
  }
  auto* names = static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
    if (name->type != GEN_DNS && name->type != GEN_URI) continue;
    const ASN1_IA5STRING* text = name->d.ia5;
    std::string_view value(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                           static_cast<size_t>(ASN1_STRING_length(text)));
    if (value.find('\0') != value.npos) continue;  // a name that ends elsewhere for others
    (name->type == GEN_DNS ? peer_->dns : peer_->uri).emplace_back(value);
  }
  GENERAL_NAMES_free(names);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest, &size) != 1) return;
  for (unsigned i = 0; i < size; ++i) {
    peer_->sha256 += "0123456789abcdef"[digest[i] >> 4];
    peer_->sha256 += "0123456789abcdef"[digest[i] & 15];
  }
}

}  // namespace duplex
