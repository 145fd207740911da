/** Registers the policies with the clock, the chance and the timing of a test or of an experiment. */
export { type PoliciesContext, registerPoliciesIn } from "../src/registration/register.ts";
