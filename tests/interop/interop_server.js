// grpc-js as server of talk.proto: TalkService of tests/core/talk_service.h with interop_server's trailers.
// interop_server.js PROTO_DIR GOOGLEAPIS_DIR prints its address and ends with its stdin.
'use strict';
const grpc = require('@grpc/grpc-js');
const {load, Status, RETRY_INFO, RETRY_INFO_TYPE} = require('./talk.js');

const Talk = load(process.argv[2], process.argv[3]);
let running = 0, cancelled = 0;

function say(call, callback) {
  const request = call.request;
  const answer = () => {
    const given = call.metadata, head = new grpc.Metadata(), trailers = new grpc.Metadata();
    const [text] = given.get('x-echo'), [binary] = given.get('x-echo-bin'), [fail] = given.get('x-fail-bin');
    if (text !== undefined) {
      head.set('x-echo-head', text);
      trailers.set('x-echo-trailer', text);
    }
    if (binary !== undefined) {
      head.set('x-echo-head-bin', binary);
      trailers.set('x-echo-bin', binary);
    }
    if (text !== undefined || binary !== undefined) call.sendMetadata(head);
    trailers.set('x-running', String(running));
    trailers.set('x-cancelled', String(cancelled));
    if (fail !== undefined) {
      callback({code: grpc.status.ABORTED, details: fail.toString('utf8'), metadata: trailers});
    } else if (request.fail_code) {
      const status = {code: request.fail_code, message: 'as you like',
                      details: [{type_url: RETRY_INFO_TYPE, value: RETRY_INFO}]};
      trailers.set('grpc-status-details-bin', Buffer.from(Status.encode(status).finish()));
      callback({code: request.fail_code, details: 'as you like', metadata: trailers});
    } else {
      const deadline = call.getDeadline();
      const left = deadline === Infinity ? -1 : Number(deadline) - Date.now();
      callback(null, {text: 'hello ' + request.name, padding: request.padding, left_ms: Math.floor(left)}, trailers);
    }
  };
  if (!request.wait_ms) return answer();
  ++running;
  const timer = setTimeout(() => {
    --running;
    answer();
  }, request.wait_ms);
  call.on('cancelled', () => {
    clearTimeout(timer);
    --running;
    ++cancelled;
  });
}

function count(call) {
  const {to, padding, fail_at} = call.request;
  const filler = Buffer.alloc(padding, 'x');
  let next = 0, over = false;
  call.on('cancelled', () => {
    if (!over) ++cancelled;
    over = true;
  });
  const go = () => {
    while (!over) {
      if (fail_at && next === fail_at) {
        over = true;
        return call.emit('error', {code: grpc.status.ABORTED, details: 'told to'});  // after what is written
      }
      if (next >= to) {
        over = true;
        return call.end();
      }
      if (!call.write({value: next++, padding: filler})) return call.once('drain', go);
    }
  };
  go();
}

function add(call, callback) {
  const sum = {value: 0, count: 0};
  call.on('data', (n) => {
    sum.value += n.value;
    ++sum.count;
  });
  call.on('end', () => callback(null, sum));
}

function chat(call) {
  let over = false;
  call.on('data', (n) => {
    if (over) return;
    over = n.value <= 0;
    if (n.value === 0) call.end();
    else if (n.value < 0) call.emit('error', {code: grpc.status.INVALID_ARGUMENT, details: 'negative'});
    else call.write(n);
  });
  call.on('end', () => over || call.end());
}

const server = new grpc.Server();
server.addService(Talk.service, {Say: say, Count: count, Add: add, Chat: chat});
server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(`127.0.0.1:${port}`);
});
process.stdin.on('end', () => process.exit(0)).resume();
