/** The targets of a service whose address is known before load. */
import type { Span } from '../schema/diagnostic.js';
import type { ServiceModel } from '../spec/model.js';
import { type TargetEndpoint, targetEndpoint } from './address.js';

export interface LocatedTarget {
  readonly endpoint: TargetEndpoint;
  /** As written. */
  readonly url: string;
  /** Of the URL alone. */
  readonly span: Span;
  /** Of the whole item in `targets`. */
  readonly item: Span;
}

export function* targetsOf(service: ServiceModel): Generator<LocatedTarget> {
  for (const [index, { url }] of (service.config.targets ?? []).entries()) {
    const endpoint = targetEndpoint(url);
    if (!endpoint || typeof url !== 'string') continue;
    yield {
      endpoint,
      url,
      span: service.at.spanOf('targets', index, 'url'),
      item: service.at.spanOf('targets', index),
    };
  }
}
