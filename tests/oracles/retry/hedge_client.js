// grpc-js's client with a service config, the judge of our hedges: hedge_client.js ADDRESS CONFIG DEADLINE_MS CALL SCRIPT...
// As grpc_go_retry/main.go is grpc-go's.
'use strict';
const grpc = require('@grpc/grpc-js');

const [address, config, deadline, call, ...scripts] = process.argv.slice(2);
const client = new grpc.Client(address, grpc.credentials.createInsecure(), {'grpc.service_config': config});
const bytes = message => message;

function next(i) {
  if (i === scripts.length) return client.close();
  const metadata = new grpc.Metadata();
  metadata.set('x-call', `${call}-${i}`);
  metadata.set('x-script', scripts[i]);
  client.makeUnaryRequest('/judge.Scripted/Call', bytes, bytes, Buffer.alloc(0), metadata,
                          {deadline: Date.now() + Number(deadline)}, error => {
                            console.log(error ? error.code : 0);
                            next(i + 1);
                          });
}
next(0);
