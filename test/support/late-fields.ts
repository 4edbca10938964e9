import ts from 'typescript';

/**
 * The fields that have no value when their object is made, as `Class.field`. The build assigns fields, so that such a one comes
 * later than the others, and gives its objects a second shape; what a decorator put into the prototype shows instead of it.
 */
export function lateFields(source: string): string[] {
  const late: string[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isClassLike(node)) late.push(...lateFieldsOf(node));
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('a.ts', source, ts.ScriptTarget.ESNext, true));
  return late;
}

function lateFieldsOf(type: ts.ClassLikeDeclaration): string[] {
  const assigned = new Set(constructorOf(type)?.statements.map(assignedBy));
  return type.members
    .filter(ts.isPropertyDeclaration)
    .filter(({ name, initializer }) => !ts.isPrivateIdentifier(name) && initializer === undefined)
    .filter(({ modifiers }) => !modifiers?.some(({ kind }) => MADE_ELSEWHERE.has(kind)))
    .map(({ name }) => name.getText())
    .filter((name) => !assigned.has(name))
    .map((name) => `${type.name?.text}.${name}`);
}

const MADE_ELSEWHERE: ReadonlySet<ts.SyntaxKind> = new Set([
  ts.SyntaxKind.AbstractKeyword,
  ts.SyntaxKind.DeclareKeyword,
  ts.SyntaxKind.StaticKeyword,
]);

/** What runs with each object: that of no overload. */
function constructorOf(type: ts.ClassLikeDeclaration): ts.Block | undefined {
  return type.members.filter(ts.isConstructorDeclaration).find(({ body }) => body !== undefined)
    ?.body;
}

/** The field that a statement gives its value, whatever happens; none in a condition, a loop or a function. */
function assignedBy(statement: ts.Statement): string | undefined {
  if (!ts.isExpressionStatement(statement)) return undefined;
  const { expression } = statement;
  return ts.isBinaryExpression(expression) &&
    expression.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
    ts.isPropertyAccessExpression(expression.left) &&
    expression.left.expression.kind === ts.SyntaxKind.ThisKeyword
    ? expression.left.name.text
    : undefined;
}
