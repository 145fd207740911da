import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./styles.css";
import { App } from "./app.tsx";

const root = document.getElementById("page");
if (root) {
  root.textContent = "";
  render(<App />, root);
}
