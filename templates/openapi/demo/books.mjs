// The service that openapi.yaml describes, without dependencies. gw starts it (`run` in gateway.toml).
// To use your own service, replace `run` with `targets` and delete this folder.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const books = new Map([[1, { id: 1, title: 'The Gateway' }]]);
let nextId = 2;

createServer(async (request, response) => {
  const send = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(value === undefined ? undefined : `${JSON.stringify(value)}\n`);
  };
  const [, , part, format] = new URL(request.url, 'http://books').pathname.split('/');
  const book = books.get(Number(part));
  if (part === undefined && request.method === 'POST') {
    try {
      const added = { ...JSON.parse(await text(request)), id: nextId++ };
      books.set(added.id, added);
      send(201, added);
    } catch {
      send(400, { status: 400, title: 'The body is not JSON' });
    }
  } else if (part === undefined) send(200, [...books.values()]);
  else if (!book) send(404, { status: 404, title: 'No such book' });
  else if (request.method === 'DELETE') {
    books.delete(book.id);
    send(204);
  } else send(200, format === undefined ? book : { ...book, format });
}).listen(Number(process.env.PORT ?? 3000), '127.0.0.1');
