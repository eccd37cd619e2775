/** `npm run build`. */
import { build, ensureInstalled } from './ensure.mjs';

ensureInstalled();
build();
