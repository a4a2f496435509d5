// node send.cjs PORT FILE...: each file is a message, sent when the one before is answered; prints MSA-1 and MSA-2 of each
// answer. This client sends its first message twice when the connection is slow to come: answers are told by MSA-2.
const { readFileSync } = require("node:fs");
const { Client, Message } = require("node-hl7-client");

const [port, ...files] = process.argv.slice(2);
const answers = new Map();
let answered = () => {};
const client = new Client({ host: "127.0.0.1" });
const connection = client.createConnection({ port: Number(port) }, (response) => {
  const message = response.getMessage();
  answers.set(message.get("MSA.2").toString(), message.get("MSA.1").toString());
  answered();
});

async function main() {
  for (const file of files) {
    const message = new Message({ text: readFileSync(file, "utf8") });
    const id = message.get("MSH.10").toString();
    const done = new Promise((resolve) => (answered = () => answers.has(id) && resolve()));
    await connection.sendMessage(message);
    await done;
  }
  answers.forEach((code, id) => console.log(`${code} ${id}`));
  process.exit(0);
}

main();
