/** The targets of a service with an address that is known before load. */
import type { Span } from '../schema/diagnostic.js';
import type { ServiceModel } from '../spec/model.js';
import { type TargetEndpoint, targetEndpoint } from './address.js';

export interface LocatedTarget {
  readonly endpoint: TargetEndpoint;
  /** As written. */
  readonly url: string;
  /** Span of the URL. */
  readonly span: Span;
  /** Span of the whole item in `targets`. */
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
