/* The side that begins. */
#define SERVE
#include "ball.c"
