// A call that a protocol refuses before its service is asked, such as one whose timeout cannot be read.
#pragma once

#include "duplex/service/service.h"

namespace duplex {

// Shows the refusal to `observe` (may be null), as a call that ended with `why`. Users' filters and the handler do not
// see it. The Peer is in ctx by now.
Task<void> show_refusal(const Filter* observe, Context& ctx, const Method& method, const Metadata& metadata,
                        const Status& why);

}  // namespace duplex
