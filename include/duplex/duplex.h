// All that most services need: the server, the client, logging, and the store is duplex/store/database.h.
#pragma once

#include "duplex/app/application.h"
#include "duplex/app/client.h"
#include "duplex/app/configured.h"
#include "duplex/app/in_process.h"
#include "duplex/app/server.h"
#include "duplex/contract/typed.h"
#include "duplex/contract/typed_client.h"
#include "duplex/protocols/http_client.h"
#include "duplex/runtime/blocking.h"
#include "duplex/runtime/channel.h"
#include "duplex/runtime/run.h"
#include "duplex/telemetry/log.h"
