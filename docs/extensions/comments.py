"""An extension of Griffe: the comment beside a field, or its `help`, is what the reference says about it."""

import ast

from griffe import Docstring, Extension


class FieldComments(Extension):
    def on_attribute_instance(self, *, node, attr, **_):
        if attr.docstring or not isinstance(node, ast.AnnAssign) or not attr.parent.is_class:
            return
        text = attr.lines[-1].partition("  # ")[2] if attr.lines else ""
        if isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "_option":  # of TrainConfig
            attr.value, text = ast.unparse(node.value.args[0]), ast.literal_eval(node.value.args[1])
        if text:
            attr.docstring = Docstring(text, lineno=attr.endlineno, parent=attr)
