// Runs one contender of one question, once, and prints its figure. A contender that did not do its work throws.
import 'reflect-metadata';

const [question, key] = process.argv.slice(2);
const { default: definition } = await import(`../${question}.mjs`);
const figure = await definition.contenders[key].run();
console.log(figure);
process.exit(0);
