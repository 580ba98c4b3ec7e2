#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>

#include "duplex/runtime/tls.h"
#include "runtime/tls_openssl.h"

namespace duplex {

std::string last_tls_error() {
  const unsigned long code = ERR_peek_last_error();
  ERR_clear_error();
  if (code == 0) return "the connection broke";
  const char* reason = ERR_reason_error_string(code);
  return reason ? reason : "error " + std::to_string(code);
}

namespace {

Status in_file(const std::string& path, std::string_view what) {
  if (::access(path.c_str(), R_OK) != 0)
    return Status::invalid_argument(path + " cannot be read: " + std::strerror(errno));
  return Status::invalid_argument(path + ": " + std::string(what) + ": " + last_tls_error());
}

Result<SslContext> make_context(const SSL_METHOD* method, TlsVersion least) {
  ERR_clear_error();
  SslContext context(SSL_CTX_new(method));
  if (!context) return Status::internal("OpenSSL: " + last_tls_error());
  SSL_CTX_set_min_proto_version(context.get(), least == TlsVersion::k13 ? TLS1_3_VERSION : TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  // TLS 1.2's; those of 1.3 are all right as they stand (RFC 9325 section 4.2).
  if (SSL_CTX_set_cipher_list(context.get(), "ECDHE+AESGCM:ECDHE+CHACHA20") != 1)
    return Status::internal("OpenSSL has no suite for HTTP/2: " + last_tls_error());
  return context;
}

Status use_certificate(SSL_CTX* context, const TlsCertificate& files) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(context, files.certificate.c_str()) != 1)
    return in_file(files.certificate, "not a certificate in PEM");
  if (SSL_CTX_use_PrivateKey_file(context, files.key.c_str(), SSL_FILETYPE_PEM) != 1)
    return in_file(files.key, "not the private key, in PEM, of " + files.certificate);
  if (SSL_CTX_check_private_key(context) != 1) return in_file(files.key, "not the private key of " + files.certificate);
  return Status();
}

Status trust(SSL_CTX* context, const std::string& ca) {
  ERR_clear_error();
  if (ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(context) != 1)
      return Status::invalid_argument("the system has no certificates of roots: " + last_tls_error());
    return Status();
  }
  if (SSL_CTX_load_verify_locations(context, ca.c_str(), nullptr) != 1)
    return in_file(ca, "not a list of certificates in PEM");
  return Status();
}

// A list of protocols as it stands on the wire (RFC 7301 section 3.1).
std::string alpn_list(const std::vector<std::string>& protocols) {
  std::string list;
  for (const std::string& p : protocols) {
    list += static_cast<char>(p.size());
    list += p;
  }
  return list;
}

const unsigned char* octets(const std::string& text) { return reinterpret_cast<const unsigned char*>(text.data()); }

// HTTP/2 before HTTP/1.1, whatever the client likes better; neither: the handshake fails (RFC 7301 section 3.2).
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* size, const unsigned char* offered,
                    unsigned offered_size, void*) {
  static const std::string ours = alpn_list({"h2", "http/1.1"});
  unsigned char* found = nullptr;
  const int result =
      SSL_select_next_proto(&found, size, octets(ours), static_cast<unsigned>(ours.size()), offered, offered_size);
  *chosen = found;
  return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

}  // namespace

// ---- server ----

struct TlsServer::Contexts {
  std::vector<SslContext> all;  // one a certificate; the first makes the sessions

  static int choose_by_name(SSL* ssl, int*, void* self) {
    const char* name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    if (!name) return SSL_TLSEXT_ERR_NOACK;
    for (const SslContext& context : static_cast<Contexts*>(self)->all) {
      if (X509_check_host(SSL_CTX_get0_certificate(context.get()), name, 0, 0, nullptr) != 1) continue;
      SSL_set_SSL_CTX(ssl, context.get());
      return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
  }

  static Result<std::shared_ptr<Contexts>> make(const TlsServerSettings& settings) {
    auto contexts = std::make_shared<Contexts>();
    if (settings.certificates.empty()) return Status::invalid_argument("TLS for a server needs a certificate");
    for (const TlsCertificate& files : settings.certificates) {
      Result<SslContext> context = make_context(TLS_server_method(), settings.least);
      if (!context) return context.error();
      SSL_CTX* c = context->get();
      if (Status s = use_certificate(c, files); !s.is_ok()) return s;
      if (Status s = contexts->ask_clients(c, settings); !s.is_ok()) return s;
      SSL_CTX_set_alpn_select_cb(c, choose_protocol, nullptr);
      SSL_CTX_set_session_cache_mode(c,
                                     SSL_SESS_CACHE_OFF);  // tickets remember for us (RFC 5077), in no memory of ours
      SSL_CTX_set_session_id_context(c, octets(kName), static_cast<unsigned>(kName.size()));
      contexts->all.push_back(std::move(*context));
    }
    SSL_CTX* first = contexts->all.front().get();
    SSL_CTX_set_tlsext_servername_callback(first, choose_by_name);
    SSL_CTX_set_tlsext_servername_arg(first, contexts.get());
    return contexts;
  }

  Status ask_clients(SSL_CTX* context, const TlsServerSettings& settings) {
    if (settings.client_certificates == ClientCertificates::kNone) return Status();
    if (settings.client_ca.empty())
      return Status::invalid_argument("clients' certificates are asked for, and no client_ca says who signs them");
    if (Status s = trust(context, settings.client_ca); !s.is_ok()) return s;
    SSL_CTX_set_client_CA_list(context, SSL_load_client_CA_file(settings.client_ca.c_str()));
    const bool required = settings.client_certificates == ClientCertificates::kRequired;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0), nullptr);
    return Status();
  }

  // Tickets that others gave out stay good.
  void take_ticket_keys(const Contexts& others) {
    unsigned char keys[80];
    const long size = SSL_CTX_get_tlsext_ticket_keys(others.all.front().get(), nullptr, 0);
    if (size <= 0 || size > static_cast<long>(sizeof keys)) return;
    if (SSL_CTX_get_tlsext_ticket_keys(others.all.front().get(), keys, static_cast<int>(size)) != 1) return;
    for (SslContext& context : all) SSL_CTX_set_tlsext_ticket_keys(context.get(), keys, static_cast<int>(size));
    OPENSSL_cleanse(keys, sizeof keys);
  }

  inline static const std::string kName = "duplex";
};

TlsServer::TlsServer(TlsServerSettings settings) : settings_(std::move(settings)) {}
TlsServer::~TlsServer() = default;

Result<std::shared_ptr<TlsServer>> TlsServer::make(TlsServerSettings settings) {
  std::shared_ptr<TlsServer> server(new TlsServer(std::move(settings)));
  if (Status s = server->reload(); !s.is_ok()) return s;
  return server;
}

Status TlsServer::reload() {
  Result<std::shared_ptr<Contexts>> made = Contexts::make(settings_);
  if (!made) return made.error();
  std::lock_guard hold(lock_);
  if (contexts_)
    (*made)->take_ticket_keys(*contexts_);
  else
    (*made)->take_ticket_keys(**made);  // all certificates' from the first
  contexts_ = std::move(*made);
  return Status();
}

std::unique_ptr<TlsSession> TlsServer::accept() const {
  std::shared_ptr<const Contexts> contexts;
  {
    std::lock_guard hold(lock_);
    contexts = contexts_;
  }
  SSL* ssl = SSL_new(contexts->all.front().get());
  if (!ssl) return nullptr;
  SSL_set_accept_state(ssl);
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, std::move(contexts)));
}

std::vector<std::string> TlsServer::files() const {
  std::vector<std::string> all;
  for (const TlsCertificate& c : settings_.certificates) {
    all.push_back(c.certificate);
    all.push_back(c.key);
  }
  if (!settings_.client_ca.empty()) all.push_back(settings_.client_ca);
  return all;
}

// ---- client ----

// The context, and what servers gave to come back with (RFC 8446 section 2.2), by name.
struct TlsClient::Shared {
  static constexpr size_t kMost = 256;  // names
  SslContext context;
  std::mutex lock;
  std::map<std::string, SslResumption> resumptions;

  static int keep(SSL* ssl, SSL_SESSION* session) {
    auto* self = static_cast<Shared*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
    const auto* host = static_cast<const std::string*>(SSL_get_app_data(ssl));
    std::lock_guard hold(self->lock);
    if (self->resumptions.size() >= kMost && !self->resumptions.contains(*host)) return 0;
    self->resumptions[*host].reset(session);
    return 1;  // ours now
  }
  // Each is used once (RFC 8446 appendix C.4).
  SslResumption take(const std::string& host) {
    std::lock_guard hold(lock);
    auto at = resumptions.find(host);
    if (at == resumptions.end()) return nullptr;
    SslResumption session = std::move(at->second);
    resumptions.erase(at);
    return session;
  }

  static Result<std::shared_ptr<Shared>> make(const TlsClientSettings& settings) {
    auto shared = std::make_shared<Shared>();
    Result<SslContext> context = make_context(TLS_client_method(), settings.least);
    if (!context) return context.error();
    SSL_CTX* c = context->get();
    if (Status s = trust(c, settings.ca); !s.is_ok()) return s;
    if (!settings.certificate.certificate.empty())
      if (Status s = use_certificate(c, settings.certificate); !s.is_ok()) return s;
    SSL_CTX_set_verify(c, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_app_data(c, shared.get());
    SSL_CTX_set_session_cache_mode(c, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(c, keep);
    shared->context = std::move(*context);
    return shared;
  }
};

namespace {

// A session's own hold on the host's name and the context.
struct Connecting {
  std::shared_ptr<const void> shared;
  std::string host;
};

bool is_ip(const std::string& host) {
  in6_addr scratch;
  return inet_pton(AF_INET, host.c_str(), &scratch) == 1 || inet_pton(AF_INET6, host.c_str(), &scratch) == 1;
}

}  // namespace

TlsClient::TlsClient(TlsClientSettings settings)
    : settings_(std::move(settings)), marks_(files_of(settings_)), looked_(Clock::now()) {}
TlsClient::~TlsClient() = default;

Result<std::shared_ptr<TlsClient>> TlsClient::make(TlsClientSettings settings) {
  std::shared_ptr<TlsClient> client(new TlsClient(std::move(settings)));
  Result<std::shared_ptr<Shared>> shared = Shared::make(client->settings_);
  if (!shared) return shared.error();
  client->shared_ = std::move(*shared);
  return client;
}

// With the lock held.
void TlsClient::reload_if_changed() const {
  const Time now = Clock::now();
  if (now - looked_ < std::chrono::seconds(1)) return;
  looked_ = now;
  if (!marks_.changed()) return;
  if (Result<std::shared_ptr<Shared>> made = Shared::make(settings_)) shared_ = std::move(*made);
}

std::unique_ptr<TlsSession> TlsClient::connect(const std::string& host, std::vector<std::string> protocols) const {
  std::shared_ptr<Shared> shared;
  {
    std::lock_guard hold(lock_);
    reload_if_changed();
    shared = shared_;
  }
  const std::string& name = settings_.server_name.empty() ? host : settings_.server_name;
  auto connecting = std::make_shared<Connecting>(shared, name);
  SSL* ssl = SSL_new(shared->context.get());
  if (!ssl) return nullptr;
  SSL_set_connect_state(ssl);
  SSL_set_app_data(ssl, &connecting->host);
  if (is_ip(name)) {  // which SNI cannot ask for (RFC 6066 section 3)
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name.c_str());
  } else {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    SSL_set1_host(ssl, name.c_str());
    SSL_set_tlsext_host_name(ssl, name.c_str());
  }
  const std::string list = alpn_list(protocols);
  SSL_set_alpn_protos(ssl, octets(list), static_cast<unsigned>(list.size()));
  if (SslResumption session = shared->take(name)) SSL_set_session(ssl, session.get());
  return std::unique_ptr<TlsSession>(new TlsSession(ssl, std::move(connecting)));
}

std::vector<std::string> TlsClient::files_of(const TlsClientSettings& settings) {
  std::vector<std::string> all;
  for (const std::string* file : {&settings.ca, &settings.certificate.certificate, &settings.certificate.key})
    if (!file->empty()) all.push_back(*file);
  return all;
}

}  // namespace duplex
