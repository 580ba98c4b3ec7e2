// TLS 1.2 and 1.3 over OpenSSL (RFC 8446, RFC 9325): contexts made of files, and a session that turns octets of the
// network into octets of the application and back, without a socket of its own.
//
// What is offered is what RFC 9113 section 9.2 lets HTTP/2 use: under TLS 1.2 only forward-secret AEAD suites; no
// renegotiation, no compression, no early data.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "duplex/base/bytes.h"
#include "duplex/base/status.h"
#include "duplex/runtime/context.h"
#include "duplex/runtime/file_watch.h"
#include "duplex/runtime/task.h"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace duplex {

// Files in PEM: a certificate with those that lead to its root behind it, and its private key.
struct TlsCertificate {
  std::string certificate, key;
  friend bool operator==(const TlsCertificate&, const TlsCertificate&) = default;
};

enum class TlsVersion : uint8_t { k12, k13 };

// Does a server ask who calls?
enum class ClientCertificates : uint8_t {
  kNone,
  kRequested,  // one that is sent must be right; none is let in, without a PeerCertificate
  kRequired,
};

struct TlsServerSettings {
  // By the name that the client asks for (SNI) the first that fits it; else the first.
  std::vector<TlsCertificate> certificates;
  std::string client_ca;  // a file in PEM: who may have signed clients' certificates
  ClientCertificates client_certificates = ClientCertificates::kNone;
  TlsVersion least = TlsVersion::k12;
  friend bool operator==(const TlsServerSettings&, const TlsServerSettings&) = default;
};

struct TlsClientSettings {
  std::string ca;              // a file in PEM of roots; empty: the system's
  TlsCertificate certificate;  // ours, where the server asks; empty: none
  std::string server_name;     // what its certificate must say and SNI asks for; empty: the host of the address
  TlsVersion least = TlsVersion::k12;
  friend bool operator==(const TlsClientSettings&, const TlsClientSettings&) = default;
};

// Who is on the other side, as its certificate says and a root that we trust has signed. In the Context of the calls of
// its connection: ctx.find<PeerCertificate>().
struct PeerCertificate {
  std::string subject;                // "CN=orders,O=shop" (RFC 4514)
  std::vector<std::string> dns, uri;  // its alternative names; an SPIFFE ID is a URI
  std::string sha256;                 // of the whole certificate, in hex
};

class TlsSession;

// Both make sessions, from any thread. The files are read when they are made and by reload(); sessions under way keep
// what they began with.
class TlsServer {
 public:
  // INVALID_ARGUMENT names the file and the mistake: not there, not PEM, a key of another certificate.
  static Result<std::shared_ptr<TlsServer>> make(TlsServerSettings settings);
  ~TlsServer();
  // For an accepted connection; by ALPN it takes "h2" before "http/1.1". Null: out of memory.
  std::unique_ptr<TlsSession> accept() const;
  // Reads the files again. An error leaves all as it was. Tickets given out before stay good.
  Status reload();
  // Those files whose change means reload().
  std::vector<std::string> files() const;

 private:
  struct Contexts;
  explicit TlsServer(TlsServerSettings settings);
  const TlsServerSettings settings_;
  mutable std::mutex lock_;  // of the pointer
  std::shared_ptr<const Contexts> contexts_;
};

// Files that have changed are read again by themselves: a connection sees the change, and the next one that is made a
// second later or more is made with it. Wrong ones are left alone.
class TlsClient {
 public:
  static Result<std::shared_ptr<TlsClient>> make(TlsClientSettings settings);
  ~TlsClient();
  // For a connection to `host`, an IP address or a name. `protocols` go to ALPN. Null: out of memory.
  std::unique_ptr<TlsSession> connect(const std::string& host, std::vector<std::string> protocols) const;

 private:
  struct Shared;
  explicit TlsClient(TlsClientSettings settings);
  static std::vector<std::string> files_of(const TlsClientSettings& settings);
  const TlsClientSettings settings_;
  void reload_if_changed() const;
  mutable std::mutex lock_;
  mutable std::shared_ptr<Shared> shared_;
  mutable FileMarks marks_;
  mutable Time looked_;
};

// One connection. On its loop only.
class TlsSession {
 public:
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;

  // Octets that came; what they say goes behind `plain`. Not OK: the connection cannot go on, and out() may hold an
  // alert that says so to the other side.
  Status receive(std::string_view cipher, Buffer& plain);
  // Encrypts into out(). Only once it is open().
  Status send(std::string_view plain);
  // "I send no more" (close_notify), into out().
  void close();
  // What is to go to the network.
  Buffer& out() { return out_; }

  bool open() const { return open_; }           // the handshake is done
  bool closed() const { return peer_closed_; }  // the other side has sent close_notify
  std::string_view protocol() const;            // what ALPN chose; empty: nothing
  std::string_view version() const;             // "TLSv1.3"
  bool resumed() const;
  // Null: the other side has shown none.
  const PeerCertificate* peer() const { return peer_.get(); }

 private:
  friend class TlsServer;
  friend class TlsClient;
  friend struct TlsIo;
  TlsSession(ssl_st* ssl, std::shared_ptr<const void> keeps);
  Status step(Buffer& plain);
  Status failure(int result);
  void learn_peer();

  ssl_st* const ssl_;
  const std::shared_ptr<const void> keeps_;  // its context, and what the callbacks use
  std::string_view in_;
  Buffer out_;
  bool open_ = false, peer_closed_ = false;
  std::unique_ptr<PeerCertificate> peer_;
};

// Does the handshake over a connected, non-blocking socket; octets of the application that came with it go into
// `plain`. UNAVAILABLE says why not; or why ctx was cancelled.
Task<Status> tls_handshake(Context& ctx, int fd, TlsSession& session, Buffer& plain);

}  // namespace duplex
