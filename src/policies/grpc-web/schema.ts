/** Config of the grpc-web policy: none. */
import { type Infer, s } from '../compile-kit.js';

export const schema = s.object({});

export type GrpcWebConfig = Infer<typeof schema>;
export type GrpcWebSettings = Record<string, never>;
