// Migrations: the scripts that bring a file to what the program expects.
#pragma once

#include <string>
#include <vector>

#include "store/connection.h"

namespace duplex::store::detail {

// Runs those that the file has not seen, each in a transaction with its number. FAILED_PRECONDITION: a script failed
// (those before it stay), broke a foreign key, or the file has seen more scripts than there are.
Status migrate(Reader::Impl& connection, const std::vector<std::string>& scripts);

}  // namespace duplex::store::detail
