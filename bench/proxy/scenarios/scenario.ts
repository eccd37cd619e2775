/** The interface of a scenario: a file of this folder, listed in index.ts. */
import type { Section } from '../section.js';
import type { Setting } from '../setting.js';

export interface Scenario {
  readonly name: string;
  /** One line for the list. */
  readonly summary: string;
  run(setting: Setting): Promise<readonly Section[]>;
}
