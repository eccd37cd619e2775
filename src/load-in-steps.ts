/**
 * Loads parts of a large graph of modules before the rest. Node opens all files of a graph of imports at once, which takes more
 * descriptors than the 256 of a shell of macOS; so those that are many and independent are loaded one after another.
 */
import { existsSync, readdirSync } from 'node:fs';

const SOURCES = new URL('./', import.meta.url);

/** Loads `file` of each folder in `folders`, such as `policies`: one after another. */
export async function loadEach(folders: readonly string[], file: string): Promise<void> {
  for (const folder of folders) {
    const at = new URL(`${folder}/`, SOURCES);
    for (const name of readdirSync(at)) {
      const module = new URL(`${name}/${file}`, at);
      if (existsSync(module)) await import(module.href);
    }
  }
}

/** Loads all modules of a folder, one after another. */
export async function loadAll(folder: string): Promise<void> {
  const at = new URL(`${folder}/`, SOURCES);
  for (const name of readdirSync(at)) if (name.endsWith('.js')) await import(new URL(name, at).href);
}
