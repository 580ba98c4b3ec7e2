#include "duplex/store/database.h"

#include <algorithm>
#include <system_error>

#include "store/connection.h"
#include "store/file_lock.h"
#include "store/migrations.h"
#include "store/read_pool.h"

namespace duplex::store {

Database::Database(std::filesystem::path path, std::unique_ptr<detail::FileLock> lock)
    : path_(std::move(path)), lock_(std::move(lock)) {}

Database::~Database() { close(); }

Result<std::unique_ptr<Database>> Database::open(const std::filesystem::path& given, Options options) {
  if (given.empty() || given.native().starts_with(":") || given.native().starts_with("file:"))
    return Status::invalid_argument("a Database is a file: \"" + given.string() + "\" is not the path of one");
  // By any of its names, it is one file with one lock.
  std::error_code error;
  std::filesystem::path path = std::filesystem::weakly_canonical(given, error);
  if (error) return Status::failed_precondition(given.string() + ": " + error.message());

  Result<std::unique_ptr<detail::FileLock>> lock = detail::FileLock::take(path);
  if (!lock) return lock.error();
  std::unique_ptr<Database> db(new Database(path, std::move(*lock)));

  auto writing = detail::open_connection(path, detail::Mode::kWrite, options);
  if (!writing) return writing.error();
  if (Status s = (*writing)->script("PRAGMA foreign_keys = OFF", true); !s.is_ok()) return s;
  if (Status s = detail::migrate(**writing, options.migrations); !s.is_ok())
    return Status(s.code(), path.string() + ": " + s.message());
  if (options.foreign_keys)
    if (Status s = (*writing)->script("PRAGMA foreign_keys = ON", true); !s.is_ok()) return s;
  db->writer_ = std::make_unique<Writer>(std::move(*writing));

  size_t count = std::max<size_t>(options.readers, 1);
  std::vector<std::unique_ptr<Reader>> readers;
  for (size_t i = 0; i < count; ++i) {
    auto reading = detail::open_connection(path, detail::Mode::kRead, options);
    if (!reading) return reading.error();
    readers.push_back(std::make_unique<Reader>(std::move(*reading)));
  }
  db->read_pool_ = std::make_unique<detail::ReadPool>(std::move(readers));

  BlockingPool::Options threads;
  threads.threads = count;
  threads.queue = options.read_queue;
  db->read_threads_ = std::make_unique<BlockingPool>(threads);
  detail::GroupCommit::Limits limits{options.write_queue, std::max<size_t>(options.group, 1), options.group_time};
  db->group_ = std::make_unique<detail::GroupCommit>(*db->writer_, limits);
  return db;
}

Status Database::read_queue_full() const {
  return Status::resource_exhausted(
      "the database's queue of reads is full (read_queue: " + std::to_string(read_threads_->queue_limit()) + ")");
}

void Database::close() {
  std::lock_guard lock(close_mutex_);
  if (group_) group_->close();
  if (read_pool_) read_pool_->close();
  writer_.reset();  // the last connection: it moves the log into the file
  lock_.reset();
}

Task<Status> Database::close(Context& ctx) {
  auto work = [this] {
    close();
    return true;
  };
  Task<Result<bool>> closing = blocking(ctx, work);
  Result<bool> closed = co_await std::move(closing);
  co_return closed.error();
}

}  // namespace duplex::store
