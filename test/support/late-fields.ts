import ts from 'typescript';

/**
 * The fields that nothing gives a value before somebody needs one, as `Class.field`. The build assigns fields, so that such a one
 * comes later than the others, and gives its objects a second shape. What Nest sets has a decorator.
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
  const made = type.members.find(ts.isConstructorDeclaration)?.body?.getText() ?? '';
  return type.members
    .filter(ts.isPropertyDeclaration)
    .filter(
      (field) =>
        !ts.isPrivateIdentifier(field.name) &&
        field.initializer === undefined &&
        !field.modifiers?.some(
          ({ kind }) =>
            kind === ts.SyntaxKind.AbstractKeyword ||
            kind === ts.SyntaxKind.DeclareKeyword ||
            kind === ts.SyntaxKind.Decorator,
        ) &&
        !made.includes(`this.${field.name.getText()} =`),
    )
    .map((field) => `${type.name?.text}.${field.name.getText()}`);
}
