/*
 * load_tree.c - tokens and trees: a formula is made up as text, cut into
 * tokens, parsed, derived by x a few times, simplified, written out as text
 * and dropped, some formulas later.
 *
 *   "3*x+sin(x*x)"  tokens  +        a node a block of its own, names and
 *                          / \       tokens blocks of their own, as a parser
 *                         *   sin    that keeps nothing in arenas has them
 */
#include <stdio.h>
#include <string.h>

#include "load.h"

/* KEPT formulas live, as a program's cache of parsed ones; TEXT_MAX is a
 * formula's longest text, DEPTH_MAX the deepest that is made up. */
enum { KEPT = 64, TEXT_MAX = 4096, DEPTH_MAX = 6, DERIVED = 2 };

struct token {
	struct token *next;
	char *text;
};

struct node {
	char op;		/* + * s(in) c(os) x or a number */
	char *text;		/* of x and numbers; else NULL */
	struct node *left, *right;
};

static void *
block(size_t size)
{
	return touched(malloc(size));
}

static char *
text_copy(const char *text, size_t length)
{
	char *copy = block(length + 1);

	memcpy(copy, text, length);
	copy[length] = '\0';
	return copy;
}

static struct node *
node_new(char op, struct node *left, struct node *right)
{
	struct node *node = block(sizeof *node);

	*node = (struct node){ op, NULL, left, right };
	return node;
}

static struct node *
leaf_new(const char *text)
{
	struct node *node = node_new(*text == 'x' ? 'x' : '0', NULL, NULL);

	node->text = text_copy(text, strlen(text));
	return node;
}

static void
node_free(struct node *node)
{
	if (node == NULL)
		return;
	node_free(node->left);
	node_free(node->right);
	free(node->text);
	free(node);
}

static struct node *
node_copy(const struct node *node)
{
	if (node == NULL)
		return NULL;
	if (node->text != NULL)
		return leaf_new(node->text);
	return node_new(node->op, node_copy(node->left),
	    node_copy(node->right));
}

/* Writes a formula and returns its end. */
static char *
made_up(char *at, uint64_t *random, unsigned depth)
{
	uint64_t r = random_next(random);

	if (depth == 0 || r % 8 == 0)
		return (r >> 8) % 2 == 0 ? stpcpy(at, "x") :
		    at + sprintf(at, "%d", (int)((r >> 9) % 1000));
	if (r % 8 == 1)
		at = stpcpy(at, (r >> 8) % 2 == 0 ? "s" : "c");
	*at++ = '(';
	at = made_up(at, random, depth - 1);
	if (r % 8 != 1) {
		*at++ = "+*"[(r >> 8) % 2];
		at = made_up(at, random, depth - 1);
	}
	*at++ = ')';
	return at;
}

static struct token *
tokens_of(const char *text)
{
	struct token *first = NULL, **last = &first;

	while (*text != '\0') {
		size_t length = strspn(text, "0123456789");

		*last = block(sizeof **last);
		(*last)->text = text_copy(text, length = length + !length);
		(*last)->next = NULL;
		last = &(*last)->next;
		text += length;
	}
	return first;
}

static char
token_take(struct token **tokens)
{
	struct token *token = *tokens;
	char first = *token->text;

	*tokens = token->next;
	free(token->text);
	free(token);
	return first;
}

/* x, a number, "(" a op b ")", or s or c and "(" a ")" */
static struct node *
parsed(struct token **tokens)
{
	char c = *(*tokens)->text, op = c;
	struct node *left, *right = NULL;

	if (strchr("sc(", c) == NULL) {
		left = leaf_new((*tokens)->text);
		token_take(tokens);
		return left;
	}
	token_take(tokens);
	if (c != '(')
		token_take(tokens);
	left = parsed(tokens);
	if (c == '(') {
		op = token_take(tokens);
		right = parsed(tokens);
	}
	token_take(tokens);
	return node_new(op, left, right);
}

static struct node *
derived(const struct node *n)
{
	struct node *inner;

	switch (n->op) {
	case 'x': return leaf_new("1");
	case '0': return leaf_new("0");
	case '+': return node_new('+', derived(n->left), derived(n->right));
	case '*':
		return node_new('+',
		    node_new('*', derived(n->left), node_copy(n->right)),
		    node_new('*', node_copy(n->left), derived(n->right)));
	}
	inner = node_new(n->op == 's' ? 'c' : 's', node_copy(n->left), NULL);
	if (n->op == 'c')
		inner = node_new('*', leaf_new("-1"), inner);
	return node_new('*', inner, derived(n->left));
}

static int
is(const struct node *node, const char *text)
{
	return node->text != NULL && strcmp(node->text, text) == 0;
}

/* The tree without a + 0, a * 1 and a * 0; takes the one that it is given. */
static struct node *
simplified(struct node *n)
{
	struct node *kept = n, *a, *b;

	if (n->left != NULL)
		n->left = simplified(n->left);
	if (n->right != NULL)
		n->right = simplified(n->right);
	a = n->left;
	b = n->right;
	if (b == NULL)
		return n;
	if (n->op == '+' ? is(a, "0") : is(a, "1") || is(b, "0"))
		kept = b;
	else if (n->op == '+' ? is(b, "0") : is(b, "1") || is(a, "0"))
		kept = a;
	if (kept == n)
		return n;
	if (kept == a)
		n->left = NULL;
	else
		n->right = NULL;
	node_free(n);
	return kept;
}

/* As a string builder does it: the texts of both sides are joined anew. */
static char *
written(const struct node *n)
{
	char *left, *right, *text;
	size_t size;

	if (n->text != NULL)
		return text_copy(n->text, strlen(n->text));
	left = written(n->left);
	right = n->right == NULL ? text_copy("", 0) : written(n->right);
	size = strlen(left) + strlen(right) + 4;
	text = block(size);
	snprintf(text, size, "(%s%c%s)", left, n->op, right);
	free(left);
	free(right);
	return text;
}

void
tree(const size_t *n)
{
	static char text[TEXT_MAX];
	struct node *kept[KEPT] = { NULL };
	uint64_t random = 21;

	for (size_t i = 0; i < n[0]; i++) {
		struct token *tokens;

		*made_up(text, &random, DEPTH_MAX) = '\0';
		tokens = tokens_of(text);
		node_free(kept[i % KEPT]);
		kept[i % KEPT] = parsed(&tokens);
		for (unsigned d = 0; d < DERIVED; d++) {
			struct node *old = kept[i % KEPT];

			kept[i % KEPT] = simplified(derived(old));
			node_free(old);
		}
		free(written(kept[i % KEPT]));
	}
	for (size_t i = 0; i < KEPT; i++)
		node_free(kept[i]);
}
