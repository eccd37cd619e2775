// A demo service without dependencies. It shows each tenant its own orders; the gateway names the tenant in x-tenant.
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

const orders = [{ id: 1, tenant: 'acme', lines: [{ product: 1, quantity: 2 }] }];

createServer(async (request, response) => {
  const tenant = request.headers['x-tenant'];
  const { pathname } = new URL(request.url, 'http://orders');
  const own = orders.filter((order) => order.tenant === tenant);
  const send = (status, value) => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(`${JSON.stringify(value)}\n`);
  };
  if (request.method === 'POST') {
    try {
      const order = { id: orders.length + 1, tenant, lines: JSON.parse(await text(request)).lines ?? [] };
      orders.push(order);
      send(201, order);
    } catch {
      send(400, { status: 400, title: 'The body is not a JSON object' });
    }
    return;
  }
  const id = Number(pathname.split('/')[2]);
  const found = pathname === '/orders' ? { items: own } : own.find((order) => order.id === id);
  send(found ? 200 : 404, found ?? { status: 404, title: 'No such order' });
}).listen(Number(process.env.PORT ?? 3002), '127.0.0.1');
