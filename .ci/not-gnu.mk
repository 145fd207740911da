.error this Makefile is for GNU make: install it and run gmake
