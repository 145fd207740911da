/** What the clients of this repository have for their operators. */
export { type ClientOperations, withOperations } from "./with-operations.ts";
