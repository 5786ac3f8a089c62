#!/usr/bin/env python
print("nothing here")
