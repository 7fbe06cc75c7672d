# conv layer, python 2
import numpy

class Conv:
	def __init__(self, inch, outch, size):
		self.size = size
		self.outch = outch
		self.kern = numpy.random.uniform(-1, 1, (outch, inch, size, size))
		self.offs = numpy.zeros(outch)
		print "created", outch

	def fwd(self, x):
		self.x = x
		oh = x.shape[2] - self.size + 1
		ow = x.shape[3] - self.size + 1
		y = numpy.zeros((x.shape[0], self.outch, oh, ow))
		for n in xrange(x.shape[0]):
			for o in xrange(self.outch):
				for i in xrange(oh):
					for j in xrange(ow):
						y[n, o, i, j] = (x[n, :, i:i+self.size, j:j+self.size] * self.kern[o]).sum() + self.offs[o]
		return y

	def bwd(self, dy):
		dx = numpy.zeros(self.x.shape)
		self.gkern = numpy.zeros(self.kern.shape)
		self.goffs = numpy.zeros(self.outch)
		for n in xrange(dy.shape[0]):
			for o in xrange(self.outch):
				for i in xrange(dy.shape[2]):
					for j in xrange(dy.shape[3]):
						self.gkern[o] += dy[n, o, i, j] * self.x[n, :, i:i+self.size, j:j+self.size]
						self.goffs[o] += dy[n, o, i, j]
						dx[0, :, i:i+self.size, j:j+self.size] += dy[n, o, i, j] * self.kern[o]
		return dx
