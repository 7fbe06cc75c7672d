import numpy as np

class FeatureMaps:
    def __init__(self, depth, maps, size):
        self.depth, self.maps, self.size = depth, maps, size
        self.synapses = np.random.rand(maps, depth, size, size) - 0.5
        self.thresholds = np.random.rand(maps) - 0.5
        self.signal = None

    def set_input(self, img):
        # one image, (depth, rows, cols)
        self.signal = img

    def propagate(self):
        d, r, c = self.signal.shape
        n = self.size
        self.response = np.zeros((self.maps, r - n + 1, c - n + 1))
        for m in range(self.maps):
            for y in range(r - n + 1):
                for x in range(c - n + 1):
                    self.response[m, y, x] = (self.signal[:, y:y + n, x:x + n] * self.synapses[m]).sum() + self.thresholds[m]
        return self.response

    def propagate_back(self, err):
        n = self.size
        self.delta_synapses = np.zeros(self.synapses.shape)
        self.delta_thresholds = np.zeros(self.maps)
        passed = np.zeros(self.signal.shape)
        for m in range(self.maps):
            for y in range(err.shape[1]):
                for x in range(err.shape[2]):
                    self.delta_synapses[m] += err[m, y, x] * self.signal[:, y:y + n, x:x + n]
                    self.delta_thresholds[m] += err[m, y, x]
                    passed[:, y:y + n, x:x + n] += err[m, y, x] * self.synapses[m]
        return passed
