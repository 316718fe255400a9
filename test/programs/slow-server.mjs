// Answers each request after as many milliseconds as its path says (`/150`), and never where it says `/never`; logs on
// /answered for how long each took. Prints its port.
import { createServer } from 'node:http';

const answered = {};
const server = createServer((request, response) => {
  const began = performance.now();
  const path = request.url.slice(1);
  if (path === 'answered') response.end(JSON.stringify(answered));
  else if (path !== 'never') {
    setTimeout(() => {
      response.end('ok', () => {
        answered[path] = performance.now() - began;
      });
    }, Number(path));
  }
});
server.listen(0, '127.0.0.1', () => console.log(`port ${server.address().port}`));
process.on('disconnect', () => process.exit());
