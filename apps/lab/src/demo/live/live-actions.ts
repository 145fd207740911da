/** What the buttons of the page do: each is a key of `Hands`. */
export const liveActions = [
  { name: "start", label: "+ pod", key: "+", help: "Starts a pod" },
  { name: "drain", label: "− pod", key: "-", help: "Drains the newest pod by SIGTERM" },
  { name: "kill", label: "Kill", key: "k", help: "Kills the oldest pod by SIGKILL" },
  { name: "freeze", label: "Freeze", key: "f", help: "Freezes the oldest pod; a second time resumes it" },
  { name: "slow", label: "Slow", key: "s", help: "Slows the oldest pod; a second time ends that" },
  { name: "replace", label: "Rolling", key: "r", help: "Replaces every pod, one after the other" },
  { name: "outage", label: "Outage", key: "o", help: "Stops registries and API server; a second time starts them" },
] as const;
