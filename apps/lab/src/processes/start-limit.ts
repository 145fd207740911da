/** How long a program may take until it serves, in milliseconds: long, because many start at once on a machine that may be busy. */
export const startLimitMs = 60_000;

/** The end of the error of a program that took longer. */
export const startAdvice = "if the machine is busy, try again later, or with fewer strategies";
