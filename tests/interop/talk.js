// What both halves of grpc-js share: talk.proto as loaded by @grpc/proto-loader, and google.rpc.Status.
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');
const protobuf = require('protobufjs');

exports.load = (protoDir, googleapis) => {
  const definition = loader.loadSync('talk.proto', {
    includeDirs: [protoDir, googleapis], keepCase: true, longs: Number, defaults: true});
  return grpc.loadPackageDefinition(definition).talk.v1.Talk;
};

exports.Status = protobuf.parse(`
  syntax = "proto3";
  message Any { string type_url = 1; bytes value = 2; }
  message Status { int32 code = 1; string message = 2; repeated Any details = 3; }`, {keepCase: true}).root.Status;
exports.RETRY_INFO = Buffer.from([0x0a, 0x02, 0x08, 0x03]);  // google.rpc.RetryInfo, 3 s
exports.RETRY_INFO_TYPE = 'type.googleapis.com/google.rpc.RetryInfo';
