/** The facts of requests that expressions read. */
import type { ExpressionRead } from '../schema/decoder.js';
import { type FactName, fieldFact } from '../schema/request-facts.js';

const named = (kind: FactName['kind'], name: string | undefined): FactName =>
  name === undefined ? { kind } : { kind, name };

/** The fact behind a name of the environment; undefined for those of the reply, and for what the key of each cache has. */
export function factOfRead({ name, key }: Pick<ExpressionRead, 'name' | 'key'>): FactName | undefined {
  if (name.startsWith('consumer.')) return { kind: 'consumer' };
  if (name.startsWith('client.certificate.')) return { kind: 'certificate' };
  if (name.startsWith('client.')) return { kind: 'client' };
  switch (name) {
    case 'claims':
      return named('claims', key);
    case 'request.headers':
      return key === undefined ? { kind: 'field' } : fieldFact(key);
    case 'request.query':
      return named('query', key);
    case 'request.params':
      return named('param', key);
    case 'request.host':
      return { kind: 'host' };
    case 'request.scheme':
      return { kind: 'scheme' };
    case 'request.id':
      return { kind: 'id' };
    default:
      return undefined;
  }
}
