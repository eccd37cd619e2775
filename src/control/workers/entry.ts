/** Entry point of a data-plane worker thread: the code of policies and actions, then the worker itself. */
import { loadEach } from '../../load-in-steps.js';

await loadEach(['policies', 'actions'], 'run.js');
await import('./worker.js');
