#include "runtime/port_holder.h"

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>
#include <vector>

namespace duplex {
namespace {

// The inodes of sockets that listen on the port (proc(5), /proc/net/tcp: state 0A is LISTEN).
std::set<std::string> listening_inodes(uint16_t port) {
  std::set<std::string> inodes;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream in(table);
    std::string line;
    std::getline(in, line);
    while (std::getline(in, line)) {
      std::istringstream words(line);
      std::string slot, local, remote, state, queues, timer, retransmits, uid, timeout, inode;
      words >> slot >> local >> remote >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode;
      size_t colon = local.rfind(':');
      if (state == "0A" && colon != local.npos && std::stoul(local.substr(colon + 1), nullptr, 16) == port)
        inodes.insert("socket:[" + inode + "]");
    }
  }
  return inodes;
}

std::vector<std::string> entries(const std::string& folder) {
  std::vector<std::string> names;
  if (DIR* dir = opendir(folder.c_str())) {
    while (dirent* entry = readdir(dir)) names.emplace_back(entry->d_name);
    closedir(dir);
  }
  return names;
}

}  // namespace

std::string port_holder(uint16_t port) {
  std::set<std::string> wanted = listening_inodes(port);
  if (wanted.empty()) return "";
  for (const std::string& pid : entries("/proc")) {
    if (pid.find_first_not_of("0123456789") != pid.npos) continue;
    std::string fds = "/proc/" + pid + "/fd/";
    for (const std::string& fd : entries(fds)) {
      char target[64] = "";
      ssize_t n = readlink((fds + fd).c_str(), target, sizeof target - 1);
      if (n <= 0 || !wanted.count(std::string(target, static_cast<size_t>(n)))) continue;
      std::string name;
      std::getline(std::ifstream("/proc/" + pid + "/comm"), name);
      return name + " (pid " + pid + ")";
    }
  }
  return "";
}

}  // namespace duplex
