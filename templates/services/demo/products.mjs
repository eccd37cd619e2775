// A demo service without dependencies. gw starts it (`run` in gateway.toml) and names its port in PORT.
// To use your own service, replace `run` with `targets` and delete this folder.
import { createServer } from 'node:http';

const products = [
  { id: 1, name: 'Walnut desk', price: 42900 },
  { id: 2, name: 'Desk lamp', price: 5950 },
  { id: 3, name: 'Task chair', price: 31900 },
];

createServer((request, response) => {
  const { pathname } = new URL(request.url, 'http://products');
  const id = Number(pathname.split('/')[2]);
  const found = pathname === '/products' ? { items: products } : products.find((product) => product.id === id);
  response.writeHead(found ? 200 : 404, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify(found ?? { status: 404, title: 'No such product' })}\n`);
}).listen(Number(process.env.PORT ?? 3001), '127.0.0.1');
