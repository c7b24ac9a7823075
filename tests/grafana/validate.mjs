// Checks dashboards against the types of @grafana/schema, strictly: no unknown key, no value of another type.
// Takes files; prints what is wrong as a JSON list. Grafana fills in what is missing, so nothing is required of panels.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";
import { createGenerator } from "ts-json-schema-generator";

const types = fileURLToPath(new URL("node_modules/@grafana/schema/dist/types/raw/", import.meta.url));
const folders = { "state-timeline": "statetimeline" };
const ajv = new Ajv({ allErrors: true, strict: false });

function compile(path, type, partial) {
  const generator = createGenerator({ path: types + path, type, skipTypeCheck: true });
  const schema = JSON.parse(JSON.stringify(generator.createSchema(type)), (key, value) =>
    partial && key === "required" && Array.isArray(value) ? undefined : value,
  );
  return ajv.compile(schema);
}

const dashboard = compile("dashboard/x/types.gen.d.ts", "Dashboard", false);
const ofPanels = {};
function ofPanel(type, part) {
  const folder = folders[type] ?? type;
  const path = `composable/${folder}/panelcfg/x/`;
  const file = `${path}types.gen.d.ts`;
  const key = `${type} ${part}`;
  const hasPart = readFileSync(types + file, "utf8").includes(` ${part} `);
  ofPanels[key] ??= hasPart ? compile(file, part, true) : () => true;
  return ofPanels[key];
}

const problems = [];
for (const file of process.argv.slice(2)) {
  const check = (validate, value, where) => {
    if (!validate(value)) {
      for (const error of validate.errors) {
        problems.push(`${file}: ${where}${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
      }
    }
  };
  const read = JSON.parse(readFileSync(file, "utf8"));
  // What Grafana's Prometheus data source reads of an annotation is not in Grafana's types.
  const { list } = read.annotations;
  const annotations = { list: list.map(({ expr, titleFormat, textFormat, tagKeys, ...typed }) => typed) };
  check(dashboard, { ...read, annotations }, "");
  for (const panel of read.panels.filter((panel) => panel.type !== "row")) {
    check(ofPanel(panel.type, "Options"), panel.options ?? {}, `${panel.title}: options`);
    check(ofPanel(panel.type, "FieldConfig"), panel.fieldConfig.defaults.custom ?? {}, `${panel.title}: custom`);
  }
}
console.log(JSON.stringify(problems, null, 1));
