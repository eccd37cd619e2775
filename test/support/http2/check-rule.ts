/** Checks one rule on a connection of its own. */
import { END_STREAM, RawHttp2, Type } from './raw-client.js';
import type { Rule } from './rules.js';

/** Undefined if the server does what the rule says, otherwise what it did instead. */
export async function brokenBy(port: number, rule: Rule, secure = false): Promise<string | undefined> {
  const client = await RawHttp2.ready(port, secure);
  try {
    client.send(...rule.send);
    if (rule.later !== undefined) {
      await client.frame(
        ({ stream, flags, type }) => stream === 1 && type <= Type.Headers && (flags & END_STREAM) !== 0,
      );
      client.send(...rule.later);
    }
    return await outcome(client, rule);
  } catch (error) {
    return String(error);
  } finally {
    client.destroy();
  }
}

async function outcome(client: RawHttp2, { expect }: Rule): Promise<string | undefined> {
  if (expect === 'alive') {
    await client.pinged();
    return undefined;
  }
  if ('status' in expect) {
    const status = await client.status(expect.id ?? 1);
    return status === expect.status ? undefined : `status ${status}`;
  }
  const codes: readonly number[] = 'stream' in expect ? expect.stream : expect.connection;
  const id = 'stream' in expect ? (expect.id ?? 1) : -1;
  const codeOf = (): number | undefined => {
    const reset = client.frames.find(({ type, stream }) => type === Type.RstStream && stream === id);
    const goaway = client.frames.find(({ type }) => type === Type.Goaway);
    return reset?.payload.readUInt32BE(0) ?? goaway?.payload.readUInt32BE(4);
  };
  await client.until(() => client.closed || codeOf() !== undefined, 'error');
  const code = codeOf();
  if (code !== undefined && !codes.includes(code)) return `code ${code}: ${client.shown}`;
  if ('connection' in expect) await client.until(() => client.closed, 'end of the connection');
  return undefined;
}
