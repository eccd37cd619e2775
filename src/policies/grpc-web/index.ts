/** Compile part of grpc-web. */
import { declarePolicy } from '../compile-kit.js';
import { PROBLEMS } from './problems.js';
import { type GrpcWebConfig, type GrpcWebSettings, schema } from './schema.js';

export default declarePolicy<GrpcWebConfig, GrpcWebSettings>({
  use: 'grpc-web',
  summary: 'Translates gRPC-Web, which web pages speak, to gRPC',
  phase: 'transform',
  // Every error of the route becomes one of gRPC-Web. It is inside of cors and compress.
  replyPhase: 'fields',
  // What is behind it sees gRPC.
  first: true,
  stateful: false,
  schema,
  problems: Object.values(PROBLEMS),
  requestFacts: () => [],
  compile: () => ({}),
});
