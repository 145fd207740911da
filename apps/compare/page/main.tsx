import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles.css";
import "./panel.css";
import "./pods.css";
import "./narrow.css";
import "./crowded.css";
import { App } from "./app.tsx";

const root = document.getElementById("page");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
