import type { Descriptors } from '../load/descriptors.js';
import type { AttemptHost } from '../upstream/retrying-user.js';
import type { Driver } from './driver.js';
import type { Uploads } from './upload.js';

/** The part of the data plane that a relay or a tunnel uses. */
export interface RelayHost extends AttemptHost {
  readonly driver: Driver;
  readonly uploads: Uploads;
  readonly descriptors: Descriptors;
  /** Logs an unexpected exception. */
  bug(error: unknown, request: string): void;
}
