// grpc-js as client of our server: interop_client.js ADDRESS PROTO_DIR GOOGLEAPIS_DIR. Exits with 0 if all held.
'use strict';
const grpc = require('@grpc/grpc-js');
const {load, Status, RETRY_INFO, RETRY_INFO_TYPE} = require('./talk.js');

const [address, protoDir, googleapis] = process.argv.slice(2);
const client = new (load(protoDir, googleapis))(address, grpc.credentials.createInsecure());
const {status} = grpc;
const UNICODE = 'kein Käse für 猫 \u{1F9C0}: 100% "ok"\nline two';
const BINARY = Buffer.from([0, 255, 1, 44, 61, 32, 10]);

let failures = 0;
function expect(holds, what) {
  if (holds) return;
  ++failures;
  console.error(`FAILED: ${what}`);
}

// {error, reply, head, trailers}; `started` sees the call.
function say(request, metadata = new grpc.Metadata(), options = {}, started = () => {}) {
  return new Promise((done) => {
    const result = {};
    let parts = 0;
    const part = () => ++parts === 2 && done(result);
    const call = client.Say(request, metadata, options, (error, reply) => {
      Object.assign(result, {error, reply});
      part();
    });
    call.on('metadata', (head) => result.head = head);
    call.on('status', (s) => {
      result.trailers = s.metadata;
      part();
    });
    started(call);
  });
}

async function countOf(name) {
  const {error, trailers} = await say({});
  if (error) throw error;
  return Number(trailers.get(name)[0]);
}
async function waitCount(name, least) {
  const giveUp = Date.now() + 60000;
  while (await countOf(name) < least)
    if (Date.now() > giveUp) return expect(false, `${name} does not come to ${least}`);
}

// {error, messages} of a readable call.
function drain(call) {
  return new Promise((done) => {
    const messages = [];
    call.on('data', (m) => messages.push(m));
    call.on('error', (error) => done({error, messages}));
    call.on('end', () => done({messages}));
  });
}
function add(send) {
  return new Promise((done) => send(client.Add((error, reply) => done({error, reply}))));
}
function expectCode(error, code) {
  expect(error && error.code === code, `expected ${status[code]}, came ${error}`);
}

const checks = {
  async unary() {
    const padding = Buffer.alloc(100000, 'p');
    const {reply} = await say({name: 'Ädä 名前 🎉', padding});
    expect(reply && reply.text === 'hello Ädä 名前 🎉' && padding.equals(reply.padding), 'the reply');
  },
  async emptyMessages() {
    expect((await say({})).reply.text === 'hello ', 'an empty request');
    expect((await add((call) => call.end())).reply.count === 0, 'the sum of nothing');
    const {reply} = await add((call) => {
      for (let i = 0; i < 3; ++i) call.write({});
      call.end();
    });
    expect(reply.count === 3, 'three empty messages');
    expect((await drain(client.Count({to: 1}))).messages.length === 1, 'an empty number');
    expect((await drain(client.Count({}))).messages.length === 0, 'a stream of nothing');
  },
  async serverStream() {
    const {error, messages} = await drain(client.Count({to: 2000, padding: 100}));
    expect(!error && messages.length === 2000 && messages.every((n, i) => n.value === i), '2000 numbers in order');
    const late = await drain(client.Count({to: 10, fail_at: 3}));
    expectCode(late.error, status.ABORTED);
    expect(late.messages.length === 3 && late.error.details === 'told to', 'a status after three messages');
  },
  async leavingAStream() {
    const before = await countOf('x-cancelled');
    const call = client.Count({to: 1e9, padding: 1000});
    const over = drain(call);
    call.once('data', () => call.cancel());
    expectCode((await over).error, status.CANCELLED);
    await waitCount('x-cancelled', before + 1);
  },
  async clientStream() {
    const padding = Buffer.alloc(100, 'x');
    const {error, reply} = await add((call) => {
      for (let i = 1; i <= 2000; ++i) call.write({value: i, padding});
      call.end();
    });
    expect(!error && reply.value === 2000 * 2001 / 2 && reply.count === 2000, 'the sum');
  },
  async bidiStream() {
    const echo = client.Chat();
    const all = drain(echo);
    for (let i = 1; i <= 200; ++i) echo.write({value: i});
    echo.end();
    const {error, messages} = await all;
    expect(!error && messages.length === 200 && messages.every((n, i) => n.value === i + 1), '200 echoes');
    // Our half stays open; the server ends.
    const well = client.Chat();
    well.write({value: 0});
    expect(!(await drain(well)).error, 'the server ends well');
    const ill = client.Chat();
    ill.write({value: -1});
    expectCode((await drain(ill)).error, status.INVALID_ARGUMENT);
  },
  async deadline() {
    const before = await countOf('x-cancelled');
    const {error} = await say({wait_ms: 3600000}, undefined, {deadline: Date.now() + 300});
    expectCode(error, status.DEADLINE_EXCEEDED);
    await waitCount('x-cancelled', before + 1);
    const {reply} = await say({}, undefined, {deadline: Date.now() + 7000});
    expect(reply && reply.left_ms > 1000 && reply.left_ms <= 7000, `7 s came as ${reply && reply.left_ms} ms`);
  },
  async cancellation() {
    const before = await countOf('x-cancelled');
    let call;
    const over = say({wait_ms: 3600000}, undefined, {deadline: Date.now() + 3600000}, (c) => call = c);
    await waitCount('x-running', 1);
    call.cancel();
    expectCode((await over).error, status.CANCELLED);
    await waitCount('x-cancelled', before + 1);
  },
  async metadata() {
    const sent = new grpc.Metadata();
    sent.set('x-echo', 'a value, with = and %41');
    sent.set('x-echo-bin', BINARY);
    const {head, trailers} = await say({}, sent);
    expect(head.get('x-echo-head')[0] === 'a value, with = and %41', 'ASCII in the head');
    expect(BINARY.equals(head.get('x-echo-head-bin')[0]), 'binary in the head');
    expect(trailers.get('x-echo-trailer')[0] === 'a value, with = and %41', 'ASCII in the trailers');
    expect(BINARY.equals(trailers.get('x-echo-bin')[0]), 'binary in the trailers');
  },
  async statusDetails() {
    for (let code = 1; code <= 16; ++code) {
      const {error} = await say({fail_code: code});
      expectCode(error, code);
      expect(error.details === 'as you like', `the message is ${error.details}`);
      const [bytes] = error.metadata.get('grpc-status-details-bin');
      const {details} = Status.decode(bytes || Buffer.alloc(0));
      expect(details.length === 1 && details[0].type_url === RETRY_INFO_TYPE && RETRY_INFO.equals(details[0].value),
             `the details of code ${code}`);
    }
  },
  async unicodeStatus() {
    const sent = new grpc.Metadata();
    sent.set('x-fail-bin', Buffer.from(UNICODE));
    const {error} = await say({}, sent);
    expectCode(error, status.ABORTED);
    expect(error.details === UNICODE, `the message is ${error.details}`);
  },
  async messageLimits() {
    const padding = Buffer.alloc(3 << 20, 'x');
    const {error, reply} = await say({padding});
    expect(!error && padding.equals(reply.padding), '3 MiB both ways');
    expectCode((await say({padding: Buffer.alloc(5 << 20, 'x')})).error, status.RESOURCE_EXHAUSTED);  // the server's
    expectCode((await drain(client.Count({to: 2, padding: 5 << 20}))).error, status.RESOURCE_EXHAUSTED);  // ours
    expect((await say({name: 'after'})).reply.text === 'hello after', 'a call after them');
  },
  async unknownMethod() {
    const raw = (bytes) => bytes;
    const error = await new Promise((done) =>
      client.makeUnaryRequest('/talk.v1.Talk/Nope', raw, raw, Buffer.alloc(0), (e) => done(e)));
    expectCode(error, status.UNIMPLEMENTED);
  },
  async aThousandAtOnce() {
    const results = await Promise.all(Array.from({length: 1000}, (_, i) => say({name: `n${i}`})));
    const good = results.filter(({reply}, i) => reply && reply.text === `hello n${i}`).length;
    expect(good === 1000, `answers: ${good}; first error: ${(results.find((r) => r.error) || {}).error}`);
  },
};

(async () => {
  for (const [name, check] of Object.entries(checks)) {
    const before = failures;
    await check().catch((error) => expect(false, `${name}: ${error.stack || error}`));
    console.log(failures === before ? 'ok    ' : 'failed', name);
  }
  process.exit(failures ? 1 : 0);
})();
