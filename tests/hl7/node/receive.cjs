// node receive.cjs PORT CODE: answers every message with the code, and prints it with a space for each carriage return.
const { Server } = require("node-hl7-server");

const [port, code] = process.argv.slice(2);
const server = new Server({ bindAddress: "127.0.0.1" });
const inbound = server.createInbound({ port: Number(port) }, async (request, response) => {
  console.log(request.getMessage().toString().replaceAll("\r", " "));
  await response.sendResponse(code);
});
inbound.on("listen", () => console.log("listening"));
