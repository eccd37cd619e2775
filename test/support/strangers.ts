/**
 * A thread with idle connections to a port, `{port, connections}`: half of them send nothing, half send a head at one
 * byte per second. All connect within two seconds, and reconnect two seconds after they were closed.
 */
import { connect } from 'node:net';
import { workerData } from 'node:worker_threads';

const { port, connections }: { port: number; connections: number } = workerData;

function open(slowHead: boolean): void {
  const socket = connect(port, '127.0.0.1');
  if (slowHead) socket.write('GET /livez HTTP/1.1\r\nX: ');
  const timer = slowHead ? setInterval(() => socket.write('a'), 1000) : undefined;
  socket.on('error', () => {});
  socket.on('close', () => {
    clearInterval(timer);
    setTimeout(() => open(slowHead), 2000);
  });
}

for (let count = 0; count < connections; count++) setTimeout(() => open(count % 2 === 0), (count * 2000) / connections);
