/** How often the memory of contents has what is asked for, compared with LRU and W-TinyLFU. */
import { hitRatioTable, traceTable } from './content/hit-ratio.js';
import type { Benchmark, Report } from './kit.js';

const MIB = 1024 ** 2;

const benchmark: Benchmark = {
  name: 'hit-ratio',
  summary: 'hit ratio of the memory of contents against LRU and W-TinyLFU, on seeded traffic and a trace',
  async run({ quick, progress }): Promise<Report> {
    const simulations = quick
      ? [{ bytes: 2 * MIB, contents: 20_000, requests: 50_000, seed: 7 }]
      : [8, 64].map((size) => ({ bytes: size * MIB, contents: 100_000, requests: 400_000, seed: 7 }));
    const tables = simulations.map((simulation) => {
      progress(`${simulation.bytes / MIB} MiB`);
      return hitRatioTable(simulation);
    });
    // `GW_BENCH_TRACE`: a file with a line of time, id and size for each request.
    const trace = process.env['GW_BENCH_TRACE'];
    if (trace !== undefined) {
      progress(trace);
      tables.push(traceTable(trace, [8 * MIB, 64 * MIB, 256 * MIB]));
    }
    const notes = ['100,000 contents of 300 to 73,000 bytes take about 1.3 GB: a cache holds a small part of them.'];
    return { title: 'Hit ratio', tables, notes: quick ? [] : notes, peers: { found: [], missing: [] } };
  },
};
export default benchmark;
