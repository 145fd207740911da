// The same in jest; USES has the entries and targets, and MESSAGES what their errors must contain.
const { createSource } = require("@grpc-lb/discovery");

const uses = JSON.parse(process.env.USES);
const messages = JSON.parse(process.env.MESSAGES);

test.each(uses)("%s", async (use) => {
  const load = async () => {
    if (use.startsWith("@")) require(use);
    else for await (const { error } of createSource(use).watch()) if (error) throw error;
  };
  await expect(load()).rejects.toThrow(messages[uses.indexOf(use)]);
});
