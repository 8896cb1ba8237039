// Stands between a client and Tether, and cuts them apart as a network does. Used by the checks of lost connections.
import { connect, createServer } from 'node:net'

/** `mended` is to be waited for between a cut and what has to be tried again. */
export async function lossyRelay(url) {
  const { hostname, port } = new URL(url)
  const sockets = new Set()
  const server = createServer((near) => {
    const far = connect(port, hostname)
    for (const [socket, other] of [[near, far], [far, near]]) {
      sockets.add(socket)
      socket.on('error', () => {}).on('close', () => other.destroy()).pipe(other)
    }
  })
  await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
  const relay = {
    url: url.replace(port, server.address().port),
    cut() {
      relay.mended = new Promise((mend) => (relay.mend = mend))
      for (const socket of sockets) socket.destroy()
    },
    close() {
      for (const socket of sockets) socket.destroy()
      server.close()
    },
  }
  return relay
}
